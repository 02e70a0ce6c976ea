namespace Wisca.Data.Tokenizers;

/// <summary>A part of a text: an added token, or (without an id) text between added tokens.</summary>
internal readonly record struct TextSegment(int Start, int End, int? Id);
