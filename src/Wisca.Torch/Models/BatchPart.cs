using Wisca.Communication;

namespace Wisca.Torch.Models;

/// <summary>The batch that some rows belong to.</summary>
/// <param name="Communicator">Who has the others.</param>
/// <param name="Targets">Number of targets that count, in the whole batch.</param>
public sealed record BatchPart(ICommunicator Communicator, long Targets);
