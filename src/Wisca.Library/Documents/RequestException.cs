namespace Wisca.Library.Documents;

/// <summary>An argument or JSON that is not as wisca.h describes it: the fault of the program that calls, not of a user's model.</summary>
internal sealed class RequestException(string message) : Exception(message);
