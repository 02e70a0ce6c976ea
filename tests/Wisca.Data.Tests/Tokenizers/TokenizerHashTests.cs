using Wisca.Data.Tokenizers;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Tests;

namespace Wisca.Data.Tests.Tokenizers;

public sealed class TokenizerHashTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TokenizerHashTests()
    {
        File.WriteAllText(_folder["tokenizer.json"], Fixture.Json(Fixture.Variant("gemma")).ToJsonString());
        File.WriteAllText(_folder["tokenizer_config.json"], """{"eos_token": "</s>"}""");
        File.WriteAllText(_folder["config.json"], """{"model_type": "llama"}""");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Of_SameFilesElsewhere_IsTheSame()
    {
        string hash = Hash();
        hash.ShouldMatch("^[0-9a-f]{32}$");
        using var other = new TemporaryFolder();
        foreach (string file in Directory.GetFiles(_folder.FullPath)) File.Copy(file, other[Path.GetFileName(file)]);
        File.WriteAllText(other["config.json"], """{"model_type": "llama", "transformers_version": "5"}""");
        TokenizerHash.Of(TokenizerLoader.Load(other.FullPath)).ShouldBe(hash);
    }

    [Theory]
    [InlineData("tokenizer.json")]
    [InlineData("tokenizer_config.json")]
    [InlineData("config.json")]
    [InlineData("tokenizer.model")]
    public async Task Load_PipeInThePlaceOfAFile_IsNamed(string name)
    {
        if (OperatingSystem.IsWindows()) return;
        File.Delete(_folder[name]);
        if (name == "tokenizer.model") File.Delete(_folder["tokenizer.json"]);
        using (var process = System.Diagnostics.Process.Start("mkfifo", [_folder[name]])) process.WaitForExit();
        var cancellation = TestContext.Current.CancellationToken;
        var loading = Task.Run(() => Should.Throw<WiscaException>(() => TokenizerLoader.Load(_folder.FullPath)), cancellation);
        (await loading.WaitAsync(TimeSpan.FromSeconds(30), cancellation)).Message
            .ShouldBe($"{_folder[name]} cannot be read: it is a pipe or a device, expected a plain file");
    }

    [Fact]
    public void Of_AnythingThatCounts_ChangesIt()
    {
        var hashes = new HashSet<string> { Hash() };
        File.AppendAllText(_folder["tokenizer.json"], "\n");
        hashes.Add(Hash()).ShouldBeTrue();
        File.WriteAllText(_folder["tokenizer_config.json"], """{"eos_token": "</s>", "add_eos_token": true}""");
        hashes.Add(Hash()).ShouldBeTrue();
        File.WriteAllText(_folder["special_tokens_map.json"], """{"bos_token": "<s>"}""");
        hashes.Add(Hash()).ShouldBeTrue();
        File.WriteAllText(_folder["added_tokens.json"], "{}");
        hashes.Add(Hash()).ShouldBeTrue();
        File.Delete(_folder["tokenizer_config.json"]);
        hashes.Add(Hash()).ShouldBeTrue();
        File.WriteAllText(_folder["config.json"], """{"eos_token_id": 2}""");
        hashes.Add(Hash()).ShouldBeTrue();
    }

    [Fact]
    public void Of_VocabularyAndMerges_CountsBoth()
    {
        File.Delete(_folder["tokenizer.json"]);
        File.Delete(_folder["tokenizer_config.json"]);
        File.WriteAllText(_folder["vocab.json"], """{"a": 0, "b": 1, "ab": 2}""");
        File.WriteAllText(_folder["merges.txt"], "");
        string hash = Hash();
        File.WriteAllText(_folder["merges.txt"], "a b\n");
        Hash().ShouldNotBe(hash);
    }

    [Fact]
    public void Of_VanishedFile_IsAnError()
    {
        var tokenizer = TokenizerLoader.Load(_folder.FullPath);
        File.Delete(_folder["tokenizer.json"]);
        Should.Throw<WiscaException>(() => TokenizerHash.Of(tokenizer)).Message.ShouldContain("tokenizer.json does not exist");
    }

    private string Hash() => TokenizerHash.Of(TokenizerLoader.Load(_folder.FullPath));
}
