using Wisca.Communication;

namespace Wisca.Torch.Tests;

public sealed class ComputeDeviceTests
{
    [Theory]
    [InlineData("cuda", 1, 0)]
    [InlineData("cuda", 4, 0)]
    [InlineData("cuda:0", 1, 0)]
    [InlineData("cuda:3", 4, 3)]
    public void Index_OfOneProcess_IsTheCardThatIsNamed(string name, int cards, int expected) =>
        ComputeDevice.Index(name, SingleProcess.Instance, cards).ShouldBe(expected);

    [Theory]
    [InlineData("cuda", 0, "device is cuda, but libtorch finds no graphics card")]
    [InlineData("cuda:1", 0, "device is cuda:1, but libtorch finds no graphics card")]
    [InlineData("cuda:1", 1, "device is cuda:1 of this machine, but it has 1 graphics card, counted from 0")]
    [InlineData("cuda:4", 4, "device is cuda:4 of this machine, but it has 4 graphics cards, counted from 0")]
    public void Index_OfACardThatIsNot_IsOneLine(string name, int cards, string expected) =>
        Should.Throw<WiscaException>(() => ComputeDevice.Index(name, SingleProcess.Instance, cards)).Message.ShouldBe(expected);
}
