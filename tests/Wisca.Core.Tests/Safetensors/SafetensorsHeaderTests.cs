using System.Text;
using CsCheck;
using Wisca.Safetensors;
using Wisca.Tests;

namespace Wisca.Core.Tests.Safetensors;

public sealed class SafetensorsHeaderTests
{
    private const string F32Scalar = """{"dtype":"F32","shape":[],"data_offsets":[0,4]}""";

    [Fact]
    public void Parse_GoldenHeader_FindsEveryField()
    {
        const string json = """
            {"__metadata__":{"format":"pt","note":"\u00e9\n"},"b":{"data_offsets":[4,10],"shape":[1,3],"dtype":"BF16"},
             "a.weight":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"none":{"dtype":"F64","shape":[0,7],"data_offsets":[4,4]}}
            """;
        var header = Parse(json, 10);

        header.Tensors.Select(tensor => tensor.Name).ShouldBe(["a.weight", "none", "b"]);
        header.Metadata.ShouldBe(new Dictionary<string, string> { ["format"] = "pt", ["note"] = "é\n" });
        header.DataLength.ShouldBe(10);
        var b = header.Find("b")!;
        (b.Dtype, b.ShapeText, b.Begin, b.End, b.ByteLength, b.ElementCount).ShouldBe((Dtype.BF16, "[1, 3]", 4, 10, 6, 3));
        header.Find("a.weight")!.ElementCount.ShouldBe(1);
        header.Find("none")!.ElementCount.ShouldBe(0);
        header.Find("c").ShouldBeNull();
    }

    [Fact]
    public void ToBytes_GoldenHeader_IsPaddedToEightBytes()
    {
        var header = SafetensorsHeader.Create(
            [("a", Dtype.F16, [2, 3]), ("b", Dtype.U8, [0]), ("c", Dtype.I64, [])],
            new Dictionary<string, string> { ["k"] = "v" });
        const string json =
            """{"__metadata__":{"k":"v"},"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}"""
            + ""","b":{"dtype":"U8","shape":[0],"data_offsets":[12,12]},"c":{"dtype":"I64","shape":[],"data_offsets":[12,20]}}""";
        string padded = json.TrimEnd().PadRight((json.TrimEnd().Length + 7) / 8 * 8);
        byte[] expected = TestCheckpoint.File(padded, []);
        header.ToBytes().ShouldBe(expected);
        (expected.Length % 8).ShouldBe(0);
    }

    [Theory]
    [MemberData(nameof(Dtypes))]
    public void Parse_EveryDtype_TakesItsNumberOfBits(string dtype, int bits)
    {
        var header = Parse($$$"""{"t":{"dtype":"{{{dtype}}}","shape":[8],"data_offsets":[0,{{{bits}}}]}}""", bits);
        header.Tensors.ShouldHaveSingleItem().Dtype.ToString().ShouldBe(dtype);
        header.Tensors[0].Dtype.Bits().ShouldBe(bits);
        Should.Throw<WiscaException>(() =>
            Parse($$$"""{"t":{"dtype":"{{{dtype}}}","shape":[8],"data_offsets":[0,{{{bits + 1}}}]}}""", bits + 1));
    }

    public static TheoryData<string, int> Dtypes() => new()
    {
        { "BOOL", 8 },
        { "U8", 8 },
        { "I8", 8 },
        { "F8_E5M2", 8 },
        { "F8_E4M3", 8 },
        { "F8_E8M0", 8 },
        { "F4", 4 },
        { "F6_E2M3", 6 },
        { "F6_E3M2", 6 },
        { "I16", 16 },
        { "U16", 16 },
        { "F16", 16 },
        { "BF16", 16 },
        { "I32", 32 },
        { "U32", 32 },
        { "F32", 32 },
        { "C64", 64 },
        { "F64", 64 },
        { "I64", 64 },
        { "U64", 64 },
    };

    [Fact]
    public void Dtypes_OfTheTest_AreAllThereAre() => Dtypes().Count.ShouldBe(Enum.GetValues<Dtype>().Length);

    [Theory]
    [InlineData("", 0, "does not begin with '{'")]
    [InlineData("[]", 0, "does not begin with '{'")]
    [InlineData(" {}", 0, "does not begin with '{'")]
    [InlineData("\uFEFF{}", 0, "does not begin with '{'")]
    [InlineData("{", 0, "not valid JSON at byte 9")]
    [InlineData("{}x", 0, "not valid JSON at byte 10")]
    [InlineData("{}\0\0\0", 0, "not valid JSON")]
    [InlineData("{}{}", 0, "not valid JSON")]
    [InlineData("{\n,}", 0, "not valid JSON at line 2, byte 1")]
    [InlineData("{\"a\":1,}", 4, "'a' is not an object")]
    [InlineData("{\"a\":" + F32Scalar + ",}", 4, "not valid JSON")]
    [InlineData("{'a':" + F32Scalar + "}", 4, "not valid JSON")]
    [InlineData("{/**/\"a\":" + F32Scalar + "}", 4, "not valid JSON")]
    [InlineData("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}}", 0, "unknown key 'a'")]
    [InlineData("{\"a\":" + F32Scalar + ",\"a\":" + F32Scalar + "}", 4, "names 'a' twice")]
    [InlineData("{\"a\":" + F32Scalar + ",\"\\u0061\":" + F32Scalar + "}", 4, "names 'a' twice")]
    [InlineData("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "names '__metadata__' twice")]
    [InlineData("{\"__metadata__\":{\"k\":\"1\",\"\\u006b\":\"2\"}}", 0, "__metadata__ names 'k' twice")]
    [InlineData("{\"__metadata__\":[]}", 0, "__metadata__ is not an object")]
    [InlineData("{\"__metadata__\":\"\"}", 0, "__metadata__ is not an object")]
    [InlineData("{\"__metadata__\":{\"k\":1}}", 0, "__metadata__.'k' is not a string")]
    [InlineData("{\"__metadata__\":{\"k\":{}}}", 0, "__metadata__.'k' is not a string")]
    [InlineData("{\"a\":{}}", 0, "'a' has no dtype")]
    [InlineData("{\"a\":{\"dtype\":\"F32\"}}", 0, "'a' has no shape")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 4, "'a' has no data_offsets")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],\"x\":1}}", 4, "unknown key 'x'")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "dtype twice")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"sh\\u0061pe\":[],\"data_offsets\":[0,4]}}", 4, "shape twice")]
    [InlineData("{\"a\":{\"dtype\":32,\"shape\":[],\"data_offsets\":[0,4]}}", 4, "dtype is not a string")]
    [InlineData("{\"a\":{\"dtype\":\"F31\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "unknown dtype 'F31'")]
    [InlineData("{\"a\":{\"dtype\":\"f32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "unknown dtype 'f32'")]
    [InlineData("{\"a\":{\"dtype\":\"15\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "unknown dtype '15'")]
    [InlineData("{\"a\":{\"dtype\":\"F32 \",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "unknown dtype 'F32 '")]
    [InlineData("{\"a\":{\"dtype\":\"BOOL,F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "unknown dtype 'BOOL,F32'")]
    [InlineData("{\"a\":{\"dtype\":\"\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "unknown dtype ''")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, "shape is not an array")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}}", 4, "shape holds something other")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[[1]],\"data_offsets\":[0,4]}}", 4, "shape holds something other")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "shape holds something other")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[-0],\"data_offsets\":[0,0]}}", 0, "shape holds something other")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, "shape holds something other")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1e0],\"data_offsets\":[0,4]}}", 4, "shape holds something other")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[1e3],\"data_offsets\":[0,1e3]}}", 1000, "shape holds something other")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[01],\"data_offsets\":[0,4]}}", 4, "not valid JSON")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[NaN],\"data_offsets\":[0,4]}}", 4, "not valid JSON")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,4]}}", 4, "shape holds something other")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0]}}", 4, "data_offsets has 1 numbers, expected 2")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4,8]}}", 4, "data_offsets has 3 numbers, expected 2")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,0]}}", 4, "ends at 0 before it begins at 4")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[-4,0]}}", 4, "data_offsets holds something other")]
    [InlineData(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,5]}}", 5, "shape [] of F32 takes 4 bytes, but its offsets span 5")]
    [InlineData("{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "does not fill whole bytes")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 3, "'a' ends at byte 4 of 3 bytes")]
    [InlineData(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[9007199254740992,9007199254740996]}}", 4,
        "'a' ends at byte 9007199254740996 of 4")]
    [InlineData(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[9223372036854775803,9223372036854775807]}}", 4,
        "'a' ends at byte 9223372036854775807 of 4")]
    [InlineData(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[18446744073709551612,18446744073709551616]}}", 4,
        "data_offsets holds something other")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 8, "4 bytes behind the last tensor belong to none")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,8]}}", 8, "a hole of 4 bytes before tensor 'a'")]
    [InlineData(
        "{\"a\":" + F32Scalar + ",\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]}}", 12,
        "a hole of 4 bytes before tensor 'b'")]
    [InlineData("{\"a\":" + F32Scalar + ",\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[3,7]}}", 7, "'b' overlaps")]
    [InlineData("{\"a\":" + F32Scalar + ",\"b\":" + F32Scalar + "}", 4, "overlaps")]
    [InlineData("{\"a\":" + F32Scalar + ",\"b\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[2,2]}}", 4, "'b' overlaps")]
    [InlineData(
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "takes 18446744073709551616 bytes")]
    [InlineData("{\"a\":{\"dtype\":\"F64\",\"shape\":[1152921504606846976,4611686018427387904],\"data_offsets\":[0,0]}}", 0, "overflows")]
    [InlineData(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,9223372036854775807,9223372036854775807,9223372036854775807],"
        + "\"data_offsets\":[0,4]}}",
        4, "overflows")]
    public void Parse_BrokenRule_IsNamed(string json, long dataLength, string expected)
    {
        var exception = Should.Throw<WiscaException>(() => Parse(json, dataLength));
        exception.Message.ShouldStartWith("x.safetensors: ");
        exception.Message.ShouldContain(expected);
        exception.Hint.ShouldNotBeNullOrEmpty();
        ReferenceHeader.IsValid(Encoding.UTF8.GetBytes(json), dataLength).ShouldBeFalse();
    }

    [Theory]
    [InlineData("7B2261FF223A7B7D7D")] // {"a\xFF":{}}
    [InlineData("7B22C0AF223A7B7D7D")] // an overlong slash
    [InlineData("7B22EDA080223A7B7D7D")] // a surrogate in UTF-8
    [InlineData("7B225C7564383030223A7B7D7D")] // {"\ud800":{}}
    [InlineData("7B225C75646330305C7564383030223A7B7D7D")] // {"\udc00\ud800":{}}
    public void Parse_NameThatIsNotUnicode_IsRefused(string hex)
    {
        byte[] json = Convert.FromHexString(hex);
        Should.Throw<WiscaException>(() => SafetensorsHeader.Parse(json, 0, "x.safetensors")).Message.ShouldContain("not valid Unicode");
        ReferenceHeader.IsValid(json, 0).ShouldBeFalse();
    }

    [Fact]
    public void Parse_NameWithControlCharacters_GivesOneLine()
    {
        var exception = Should.Throw<WiscaException>(() => Parse("{\"a\\n\\u001b[31m\\u2028\":1}", 0));
        exception.Message.ShouldBe("x.safetensors: tensor 'a\\u000a\\u001b[31m\\u2028' is not an object");
    }

    [Fact]
    public void Parse_VeryLongName_IsCutInTheMessage() =>
        Should.Throw<WiscaException>(() => Parse($$"""{"{{new string('n', 1_000_000)}}":1}""", 0)).Message.Length.ShouldBeLessThan(300);

    [Fact]
    public void Parse_MetadataThatIsNull_CountsAsNone()
    {
        Parse("""{"__metadata__":null}""", 0).Metadata.ShouldBeEmpty();
        Should.Throw<WiscaException>(() => Parse("""{"__metadata__":null,"__metadata__":null}""", 0)).Message.ShouldContain("twice");
    }

    [Fact]
    public void Parse_ZeroDimensionBesideHugeOnes_HasNoBytes() =>
        Parse("""{"a":{"dtype":"F64","shape":[9223372036854775807,9223372036854775807,9223372036854775807,0],"data_offsets":[0,0]}}""", 0)
            .Tensors.ShouldHaveSingleItem().ElementCount.ShouldBe(0);

    [Fact]
    public void Parse_EmptyTensorsAtOnePlace_KeepTheOrderOfTheHeader()
    {
        var names = Enumerable.Range(0, 40).Select(index => $"t{index * 7 % 40}").ToList();
        string json =
            $$"""{{{string.Join(",", names.Select(name => $$$"""  "{{{name}}}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}  """))}}}""";
        Parse(json, 0).Tensors.Select(tensor => tensor.Name).ShouldBe(names);
    }

    [Fact]
    public void Create_WhatNoFileCanHold_IsRefused()
    {
        Should.Throw<ArgumentException>(() => SafetensorsHeader.Create([("a", Dtype.F4, [3])]));
        Should.Throw<ArgumentException>(() => SafetensorsHeader.Create([("a", Dtype.U8, [1]), ("a", Dtype.U8, [1])]));
        Should.Throw<ArgumentException>(() => SafetensorsHeader.Create([("__metadata__", Dtype.U8, [1])]));
        Should.Throw<ArgumentException>(() => SafetensorsHeader.Create([("a", Dtype.U8, [-1])]));
        Should.Throw<OverflowException>(() => SafetensorsHeader.Create([("a", Dtype.U8, [1L << 40, 1L << 40])]));
    }

    private static readonly Gen<string> Name = Gen.Select(
        Gen.OneOf(
            Gen.Char['\0', '\u00ff'].Select(c => $"{c}"), Gen.Char['\u2000', '\ud7ff'].Select(c => $"{c}"),
            Gen.Int[0x10000, 0x10ffff].Select(char.ConvertFromUtf32)
        ).Array[0, 8],
        string.Concat);

    private static readonly Gen<(string Name, Dtype Dtype, long[] Shape)[]> Tensors = Gen.Select(
        Gen.Select(
            Name,
            Gen.Enum<Dtype>(),
            Gen.Long[0, 4].Array[0, 4],
            (name, dtype, shape) => (name, dtype, Shape: dtype.Bits() < 8 ? [.. shape, 4L] : shape)
        ).Array[0, 6],
        tensors =>
            tensors
                .DistinctBy(tensor => tensor.name)
                .Where(tensor => tensor.name != "__metadata__")
                .Select(tensor => (tensor.name, tensor.dtype, tensor.Shape))
                .ToArray());

    [Fact]
    public void ToBytes_ParsedAgain_IsTheSameHeader() =>
        Gen.Select(Tensors, Gen.Dictionary(Name, Name)[0, 3].Null()).Sample((tensors, metadata) =>
        {
            var header = SafetensorsHeader.Create(tensors, metadata);
            byte[] bytes = header.ToBytes();
            (bytes.Length % 8).ShouldBe(0);
            var parsed = SafetensorsHeader.Parse(bytes.AsSpan(8), header.DataLength, "x");
            parsed.Tensors.Select(tensor => (tensor.Name, tensor.Dtype, tensor.ShapeText, tensor.Begin, tensor.End))
                .ShouldBe(header.Tensors.Select(tensor => (tensor.Name, tensor.Dtype, tensor.ShapeText, tensor.Begin, tensor.End)));
            parsed.Metadata.ShouldBe(header.Metadata);
            parsed.ToBytes().ShouldBe(bytes);
            ReferenceHeader.IsValid(bytes.AsSpan(8), header.DataLength).ShouldBeTrue();
        });

    [Fact]
    public void Parse_MutatedHeader_AgreesWithThePlainRules()
    {
        const string valid =
            """{"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}"""
            + ""","b":{"dtype":"F32","shape":[],"data_offsets":[12,16]}}""";
        int accepted = 0;
        Gen.Select(
                Gen.Int[0, valid.Length - 1],
                Gen.OneOf(
                    Gen.Const(""),
                    Gen.Char[' ', '~'].Select(c => $"{c}"),
                    Gen.Int[0, 5].Select(index => ((string[])["00", "{}", ",", "16", "\\u0061", "\"a\""])[index])),
                Gen.Int[0, 3])
            .Sample(
                (at, inserted, removed) =>
                {
                    byte[] json = Encoding.UTF8.GetBytes(valid.Remove(at, Math.Min(removed, valid.Length - at)).Insert(at, inserted));
                    bool expected = ReferenceHeader.IsValid(json, 16);
                    bool actual = Accepts(json);
                    actual.ShouldBe(expected, Encoding.UTF8.GetString(json));
                    if (actual) Interlocked.Increment(ref accepted);
                },
                iter: 20_000);
        accepted.ShouldBeGreaterThan(100);

        static bool Accepts(byte[] json)
        {
            try
            {
                SafetensorsHeader.Parse(json, 16, "x");
                return true;
            }
            catch (WiscaException)
            {
                return false;
            }
        }
    }

    private static SafetensorsHeader Parse(string json, long dataLength) =>
        SafetensorsHeader.Parse(Encoding.UTF8.GetBytes(json), dataLength, "x.safetensors");
}
