using System.Text.Json;
using Wisca.Library.Documents;

namespace Wisca.Library.Exports;

/// <summary>What every function does around its work: no exception leaves the library.</summary>
internal static unsafe class Call
{
    /// <summary>Does the work, and tells what went wrong.</summary>
    /// <param name="error">Where to put the error as JSON; null for nowhere.</param>
    /// <param name="work">The work.</param>
    public static int Run(byte** error, Action work)
    {
        if (error is not null) *error = null;
        try
        {
            work();
            return (int)Status.Ok;
        }
        catch (WiscaException exception)
        {
            return Tell(error, Status.Failed, new ErrorDescription(exception.Message, exception.Hint, exception.Details));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Tell(error, Status.Failed, new ErrorDescription(PrintableText.Of(exception.Message), null, []));
        }
        catch (RequestException exception)
        {
            return Tell(
                error, Status.Usage,
                new ErrorDescription(PrintableText.Of(exception.Message), "wisca.h says what is expected", []));
        }
        catch (OperationCanceledException)
        {
            return Tell(error, Status.Cancelled, new ErrorDescription("cancelled; no output was written", null, []));
        }
        catch (Exception exception)
        {
            return Tell(
                error, Status.Internal,
                new ErrorDescription($"{exception.GetType().Name}: {PrintableText.Of(exception.Message)}", null, []));
        }
    }

    /// <summary>Puts an error in its place.</summary>
    public static int Tell(byte** error, Status status, ErrorDescription description)
    {
        if (error is not null) *error = Text.Give(JsonSerializer.Serialize(description, LibraryJson.Default.ErrorDescription));
        return (int)status;
    }
}
