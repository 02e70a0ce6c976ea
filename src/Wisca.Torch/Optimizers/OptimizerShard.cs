using Wisca.Communication;
using static TorchSharp.torch;

namespace Wisca.Torch.Optimizers;

/// <summary>Which rank keeps the state of which parameters, and how the others come by what they need of it.</summary>
internal sealed class OptimizerShard
{
    private readonly ICommunicator _communicator;
    private readonly Dictionary<OptimizedParameter, int> _owners = [];

    /// <summary>Gives each parameter, the largest first, to the rank that has least.</summary>
    public OptimizerShard(ICommunicator communicator, IReadOnlyList<OptimizedParameter> parameters)
    {
        _communicator = communicator;
        long[] kept = new long[communicator.Size];
        foreach (var parameter in parameters.OrderByDescending(parameter => parameter.Parameter.numel()))
        {
            int least = Array.IndexOf(kept, kept.Min());
            _owners.Add(parameter, least);
            kept[least] += parameter.Parameter.numel();
        }
    }

    public bool IsElsewhere(OptimizedParameter parameter) => _owners[parameter] != _communicator.Rank;

    /// <summary>Makes every parameter that has a gradient what it is where its state is.</summary>
    public void ShareWeights(IReadOnlyList<OptimizedParameter> parameters)
    {
        foreach (var parameter in parameters.Where(parameter => parameter.Parameter.grad is not null))
            Share(parameter.Parameter, _owners[parameter]);
    }

    /// <summary>Gives rank 0 the state that is here.</summary>
    public void SendState(IReadOnlyList<OptimizedParameter> parameters, Func<OptimizedParameter, IReadOnlyList<StateLayout>> layout)
    {
        foreach (var parameter in parameters.Where(parameter => !IsElsewhere(parameter)))
        {
            foreach (string name in Names(parameter, layout)) TensorPieces.Send(Find(parameter, name), _communicator, 0);
        }
    }

    /// <summary>On rank 0: has the state of all ranks here until the result is disposed of.</summary>
    public IDisposable ReceiveState(
        IReadOnlyList<OptimizedParameter> parameters, Func<OptimizedParameter, IReadOnlyList<StateLayout>> layout) =>
        Complete(parameters, layout, (tensor, parameter) => TensorPieces.Receive(tensor, _communicator, _owners[parameter]));

    /// <summary>Has the state of all ranks here until the result is disposed of.</summary>
    public IDisposable Gather(
        IReadOnlyList<OptimizedParameter> parameters, Func<OptimizedParameter, IReadOnlyList<StateLayout>> layout) =>
        Complete(
            parameters, layout, (tensor, parameter) => Share(tensor, _owners[parameter]),
            parameter =>
            {
                foreach (string name in Names(parameter, layout)) Share(Find(parameter, name), _owners[parameter]);
            });

    private void Share(Tensor tensor, int owner) => TensorPieces.Broadcast(tensor, _communicator, owner);

    private Visit Complete(
        IReadOnlyList<OptimizedParameter> parameters, Func<OptimizedParameter, IReadOnlyList<StateLayout>> layout,
        Action<Tensor, OptimizedParameter> receive, Action<OptimizedParameter>? give = null)
    {
        using var ungraded = no_grad();
        var visitors = new List<OptimizedParameter>();
        foreach (var parameter in parameters)
        {
            if (!IsElsewhere(parameter))
            {
                give?.Invoke(parameter);
                continue;
            }

            if (parameter.Steps == 0) continue;
            long steps = parameter.Steps;
            visitors.Add(parameter);
            if (parameter.NeedsMaster) parameter.CreateMaster();
            parameter.CreateState(layout(parameter));
            parameter.Steps = steps;
            foreach (string name in Names(parameter, layout)) receive(Find(parameter, name), parameter);
        }

        return new Visit(visitors);
    }

    private static IEnumerable<string> Names(
        OptimizedParameter parameter, Func<OptimizedParameter, IReadOnlyList<StateLayout>> layout) =>
        parameter.Steps == 0 ? []
        : parameter.NeedsMaster ? layout(parameter).Select(state => state.Name).Append(OptimizedParameter.MasterName)
        : layout(parameter).Select(state => state.Name);

    private static Tensor Find(OptimizedParameter parameter, string name) =>
        name == OptimizedParameter.MasterName ? parameter.Master! : parameter[name];

    /// <summary>State that is here for a while.</summary>
    private sealed class Visit(List<OptimizedParameter> visitors) : IDisposable
    {
        public void Dispose()
        {
            foreach (var parameter in visitors)
            {
                long steps = parameter.Steps;
                parameter.DropState();
                parameter.DropMaster();
                parameter.Steps = steps;
            }

            visitors.Clear();
        }
    }
}
