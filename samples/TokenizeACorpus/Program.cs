// Makes a tokenizer and token files of a text, and reads training windows of them. The text is made up; files are read with CorpusReader.
using Wisca.Data.Corpora;
using Wisca.Data.Corpora.Stories;
using Wisca.Data.Tokenizers.Training;

string work = Directory.CreateTempSubdirectory("wisca-sample-").FullName;
List<string> stories = [.. new StoryGenerator(seed: 1).Stories().Take(500)];

var trained = BytePairTrainer.Train(stories, new BytePairTrainingOptions { VocabularySize = 1024 });
var tokenizer = trained.Save(Path.Combine(work, "tokenizer"));      // tokenizer.json, as Hugging Face reads it

var corpus = CorpusTokenizer.Tokenize(
    stories, tokenizer, Path.Combine(work, "stories.tokens"), Path.Combine(work, "held-out.tokens"),
    new CorpusTokenizerOptions { HeldOutFraction = 0.05 });
Console.WriteLine($"{corpus.Training.Tokens} tokens to train on, {corpus.HeldOut!.Tokens} held out");

bool inOrder;
using (var file = TokenFile.Open(corpus.Training.Path))
{
    var windows = new WindowSampler(file, length: 32, seed: 1);     // an order that depends on nothing but seed and position
    long[] window = new long[windows.Length + 1], again = new long[windows.Length + 1];
    windows.Read(position: 7, window);
    windows.Read(position: 7, again);
    inOrder = window.SequenceEqual(again);
    Console.WriteLine(tokenizer.Decode([.. window.Select(id => (int)id)]));
}

string text = stories[0];
bool roundTrip = tokenizer.Decode(tokenizer.Encode(text)) == text;
Console.WriteLine($"decoded as encoded: {roundTrip}; the same window twice: {inOrder}");
Directory.Delete(work, recursive: true);
return roundTrip && inOrder ? 0 : 1;
