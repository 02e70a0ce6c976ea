using System.Text.RegularExpressions;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Robustness;

/// <summary>The native program writes the bytes that the other one writes: to both outputs, and into folders.</summary>
public sealed partial class NativeProgramTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public NativeProgramTests()
    {
        var model = new SmallLlama { Dtype = "BF16", Biases = true, Shards = 2 };
        model.Write(_folder["model"]);
        SmallAdapter.Of(model).Write(_folder["adapter"]);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--version")]
    [InlineData("--help")]
    [InlineData("train", "--help")]
    [InlineData("completion", "zsh")]
    [InlineData("architectures")]
    [InlineData("architectures", "--json", "llama")]
    [InlineData("inspect", "MODEL")]
    [InlineData("inspect", "MODEL", "--json")]
    [InlineData("inspect", "MODEL", "--outliers")]
    [InlineData("rescale", "MODEL", "--dry-run", "--all", "--json")]
    [InlineData("rescale", "MODEL")]
    [InlineData("rescale", "MODEL", "--out", "MODEL")]
    [InlineData("verify", "MODEL", "MODEL")]
    [InlineData("inspect", "NOWHERE")]
    [InlineData("nonsense")]
    public void Output_IsTheSame(params string[] words)
    {
        string[] arguments = [.. words.Select(word => word is "MODEL" or "NOWHERE" ? _folder[word.ToLowerInvariant()] : word)];
        NativeProgram.Run(arguments).ShouldBe(NativeProgram.Run(WiscaProcess.Executable, arguments));
    }

    [Theory]
    [InlineData("rescale MODEL --out OUT --all --round none")]
    [InlineData("rescale MODEL --out OUT --qk pair --vo channel --criterion spectral")]
    [InlineData("rotate MODEL --out OUT --stream none --heads random --seed 3")]
    [InlineData("rotate MODEL --out OUT --stream none --heads weights")]
    [InlineData("merge MODEL ADAPTER --out OUT --tokens 0")]
    [InlineData("balance ADAPTER --out OUT")]
    public void Folder_IsTheSame(string line)
    {
        var native = Made("native", path => NativeProgram.Run(path));
        var other = Made("other", path => NativeProgram.Run(WiscaProcess.Executable, path));
        native.Run.ExitCode.ShouldBe(0, native.Run.Error);
        native.Run.ShouldBe(other.Run);
        native.Files.Keys.ShouldBe(other.Files.Keys);
        foreach (var (name, bytes) in native.Files) bytes.ShouldBe(other.Files[name], name);

        (CommandRun Run, SortedDictionary<string, byte[]> Files) Made(string name, Func<string[], CommandRun> run)
        {
            string output = _folder["made"];
            string[] words = [.. line.Split(' ').Select(word => word switch
            {
                "MODEL" => _folder["model"],
                "ADAPTER" => _folder["adapter"],
                "OUT" => output,
                _ => word,
            })];
            var result = run(words);
            result = result with { Output = Seconds().Replace(result.Output, "in T s") };
            var files = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
            if (Directory.Exists(output))
            {
                foreach (string file in Directory.EnumerateFiles(output)) files.Add(Path.GetFileName(file), File.ReadAllBytes(file));
                Directory.Move(output, _folder[name]);
            }

            return (result, files);
        }
    }

    /// <summary>The time that it took.</summary>
    [GeneratedRegex(@"in \d+\.\d s")]
    private static partial Regex Seconds();
}
