namespace Wisca.Tests;
public sealed class SmokeTests { [Fact] public void A() => TestData.Require("models").ShouldNotBeNull(); }
