using Wisca.Library.Documents;
using Wisca.Library.Sessions;

namespace Wisca.Library.Tests.Sessions;

public sealed class PlanSessionTests
{
    private readonly LooseModel _model = new();

    [Fact]
    public void Describe_TellsSlicesAndSpaces()
    {
        var description = new PlanSession(
            _model.Request("""{"preset": "qk_ten+vo_ten"}""", """{"stream": true, "values": true}""")).Describe();
        description.Architecture.ShouldBe("llama");
        description.Exchanges.Select(exchange => (exchange.Layer, exchange.Kind, exchange.Groups))
            .ShouldBe([(0, "qk", 1), (0, "vo", 1), (1, "qk", 1), (1, "vo", 1)]);
        description.Exchanges[0].Slices.Select(slice => (slice.Tensor, slice.Axis, slice.Exponent)).ShouldBe(
            [("model.layers.0.self_attn.q_proj.weight", 0, 1), ("model.layers.0.self_attn.k_proj.weight", 0, -1)]);
        description.Spaces.Select(space => (space.Name, space.Size)).ShouldBe(
            [
                ("stream", LooseModel.Hidden), ("layers.0.vo.0", 6), ("layers.0.vo.1", 6), ("layers.1.vo.0", 6), ("layers.1.vo.1", 6),
            ],
            ignoreOrder: true);
        var stream = description.Spaces.Single(space => space.Name == "stream");
        stream.Slices.Single(slice => slice.Tensor == "lm_head.weight").Gain.ShouldBe("model.norm.weight");
        stream.Slices.Single(slice => slice.Tensor == "model.embed_tokens.weight").Role.ShouldBe("embedding");
        stream.Gains.Count.ShouldBe((2 * LooseModel.Layers) + 1);
        description.Refusals.ShouldBeEmpty();
    }

    [Fact]
    public void Refusals_AreToldWithTheirReasons()
    {
        var description = new PlanSession(_model.Request("""{"qk": "channel", "vo": "channel"}""")).Describe();
        description.Exchanges.Select(exchange => exchange.Kind).Distinct().ShouldBe(["vo"]);
        description.Refusals.ShouldHaveSingleItem().Reason.ShouldContain("use pair");
    }

    [Theory]
    [InlineData("null", "request is null")]
    [InlineData("{", "request")]
    [InlineData("""{"config": {}}""", "tensors")]
    [InlineData("""{"config": {}, "tensors": []}""", "neither transitions nor rotations")]
    [InlineData("""{"config": {}, "tensors": [], "transition": {}}""", "transition")]
    [InlineData("""{"config": {}, "tensors": [null], "transitions": {"qk": "tensor"}}""", "an entry is null")]
    [InlineData("""{"config": {}, "tensors": [{"name": "a", "shape": [1], "dtype": "float"}], "transitions": {}}""", "dtype 'float'")]
    [InlineData("""{"config": {}, "tensors": [{"name": "a", "shape": [-1], "dtype": "F32"}], "transitions": {}}""", "negative")]
    [InlineData(
        """{"config": {}, "tensors": [{"name":"a","shape":[1],"dtype":"F32"},{"name":"a","shape":[1],"dtype":"F32"}], "transitions":{}}""",
        "'a' is there twice")]
    public void Request_NotAsDescribed_IsRefused(string request, string expected) =>
        Should.Throw<RequestException>(() => new PlanSession(request)).Message.ShouldContain(expected);

    [Theory]
    [InlineData("""{"qk": "row"}""", "transitions.qk is 'row', expected one of tensor, kv-head, pair, channel")]
    [InlineData("""{"preset": "qk_ten", "vo": "tensor"}""", "given together")]
    [InlineData("""{"all": true, "qk": "tensor"}""", "given together")]
    [InlineData("""{"preset": "ten"}""", "'ten' is not a preset")]
    [InlineData("""{"qk": "tensor", "criterion": "l3"}""", "transitions.criterion is 'l3'")]
    [InlineData("""{"qk": "tensor", "max_log2": -1}""", "transitions.max_log2 is -1")]
    [InlineData("""{"qk": "tensor", "hysteresis": "x"}""", "hysteresis")]
    public void Transitions_NotAsDescribed_AreRefused(string transitions, string expected) =>
        Should.Throw<RequestException>(() => new PlanSession(_model.Request(transitions))).Message.ShouldContain(expected);

    [Theory]
    [InlineData("model.layers.1.self_attn.q_proj.weight", "q_proj")]
    public void Model_ThatLacksATensor_IsAUsersError(string tensor, string expected)
    {
        _model.Tensors.Remove(tensor);
        Should.Throw<WiscaException>(() => new PlanSession(_model.Request("""{"qk": "tensor"}"""))).Message.ShouldContain(expected);
    }
}
