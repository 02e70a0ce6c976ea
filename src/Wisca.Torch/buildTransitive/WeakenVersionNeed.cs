// The body of the MSBuild task WeakenVersionNeed (Wisca.Torch.targets): copies the 64-bit ELF library Source to Destination
// with the weak flag (bit 0x2 of vna_flags in section .gnu.version_r, type SHT_GNU_verneed) set on the version need Version.
// Structures: ELF-64 object file format and the Linux Standard Base, "Symbol Versioning".
const uint sectionTypeVersionNeed = 0x6ffffffe;
var destination = new System.IO.FileInfo(Destination);
var source = new System.IO.FileInfo(Source);
if (destination.Exists && destination.LastWriteTimeUtc == source.LastWriteTimeUtc && destination.Length == source.Length)
    return true;

byte[] image = System.IO.File.ReadAllBytes(Source);
int U16(long at) => System.BitConverter.ToUInt16(image, (int)at);
uint U32(long at) => System.BitConverter.ToUInt32(image, (int)at);
long I64(long at) => System.BitConverter.ToInt64(image, (int)at);
string Text(long at)
{
    int end = System.Array.IndexOf(image, (byte)0, (int)at);
    return System.Text.Encoding.ASCII.GetString(image, (int)at, end - (int)at);
}

long sections = I64(0x28);
int sectionSize = U16(0x3A), sectionCount = U16(0x3C);
for (int section = 0; section < sectionCount; section++)
{
    long header = sections + (long)section * sectionSize;
    if (U32(header + 4) != sectionTypeVersionNeed) continue;
    long names = I64(sections + U32(header + 0x28) * (long)sectionSize + 0x18);
    long need = I64(header + 0x18);
    for (uint count = U32(header + 0x2C); count > 0; count--, need += U32(need + 12))
    {
        long entry = need + U32(need + 8);
        for (int entries = U16(need + 2); entries > 0; entries--, entry += U32(entry + 12))
        {
            if (Text(names + U32(entry + 8)) == Version) image[entry + 4] |= 2;
        }
    }
}

// Deleting first matters where the destination is mapped by a running process.
System.IO.Directory.CreateDirectory(destination.DirectoryName);
destination.Delete();
System.IO.File.WriteAllBytes(Destination, image);
System.IO.File.SetLastWriteTimeUtc(Destination, source.LastWriteTimeUtc);
