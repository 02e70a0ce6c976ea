namespace Wisca.Architectures;

/// <summary>What lies between two weights of a layer: the hidden channels of an MLP.</summary>
/// <param name="Space">Its name, unique in the model (<see cref="WeightAxis.Space"/>).</param>
/// <param name="Layer">The layer; null outside of the layers.</param>
/// <param name="Activation">What stands between its writers and its readers, as text: a gate, or an activation and who names it.</param>
/// <param name="Degree">
/// The degree with which a factor on what writes it comes out: 1 behind a gate or ReLU, 2 behind ReLU squared; null where no factor
/// passes, or nothing is known.
/// </param>
public sealed record HiddenSpace(string Space, int? Layer, string Activation, int? Degree);
