// The body of the MSBuild task LineLength (LineLength.targets): an error for each line of Files that has more than Maximum characters.
foreach (Microsoft.Build.Framework.ITaskItem file in Files)
{
    int number = 0;
    foreach (string line in System.IO.File.ReadLines(file.ItemSpec))
    {
        number++;
        if (line.Length <= Maximum) continue;
        string path = file.GetMetadata("FullPath");
        Log.LogError(
            null, "LINE140", null, path, number, Maximum + 1, number, line.Length,
            "the line has {0} characters, expected at most {1}", line.Length, Maximum);
    }
}

Success = !Log.HasLoggedErrors;
