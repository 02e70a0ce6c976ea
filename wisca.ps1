# Builds wisca when its sources changed, then runs it. Needs nothing but a .NET 10 SDK. The same as the script wisca, for Windows.
# With --build-only it does not run it: wisca.cmd does so itself then, since Windows PowerShell changes quotes within arguments.
$root = $PSScriptRoot
$windows = [IO.Path]::DirectorySeparatorChar -eq '\'
$artifacts = [IO.Path]::Combine($root, 'artifacts')
$app = [IO.Path]::Combine($artifacts, 'bin', 'Wisca.Cli', 'release', $(if ($windows) { 'wisca.exe' } else { 'wisca' }))
$stamp = [IO.Path]::Combine($artifacts, '.wisca-built')

function Stop-WithError([string[]] $lines) {
    foreach ($line in $lines) { [Console]::Error.WriteLine($line) }
    exit 1
}

function Test-Sdk([string] $folder) {
    $folder -and (Test-Path ([IO.Path]::Combine($folder, 'sdk', '10.*')))
}

function Test-Stale([string] $made) {
    if (-not [IO.File]::Exists($made)) { return $true }
    $built = [IO.File]::GetLastWriteTimeUtc($made)
    foreach ($folder in 'src', 'eng') {
        foreach ($entry in [IO.Directory]::EnumerateFileSystemEntries([IO.Path]::Combine($root, $folder), '*', 'AllDirectories')) {
            if ([IO.File]::GetLastWriteTimeUtc($entry) -gt $built) { return $true }
        }
    }
    foreach ($pattern in '*.props', '*.targets', 'global.json') {
        foreach ($file in [IO.Directory]::EnumerateFiles($root, $pattern)) {
            if ([IO.File]::GetLastWriteTimeUtc($file) -gt $built) { return $true }
        }
    }
    return $false
}

# The verbs that need no libtorch start at once in the native program, where eng/native has built it since the sources changed.
$native = [IO.Path]::Combine($artifacts, 'native', $(if ($windows) { 'wisca.exe' } else { 'wisca' }))
$light = 'inspect', 'rescale', 'rotate', 'undo', 'verify', 'balance', 'express', 'architectures', 'completion'
if ($args.Count -gt 0 -and $args[0] -in $light -and -not ($args -match '^--(text|tokens)') -and -not (Test-Stale $native)) {
    & $native @args
    exit $LASTEXITCODE
}

# Looking at the folders is much faster than asking dotnet --version.
$dotnetRoot = $env:DOTNET_ROOT
if (-not $dotnetRoot) {
    $found = Get-Command dotnet -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if ($found) {
        $file = Get-Item $found.Source
        while ($file.LinkType -eq 'SymbolicLink') { $file = Get-Item ([IO.Path]::Combine($file.DirectoryName, @($file.Target)[0])) }
        $dotnetRoot = $file.DirectoryName
        # Some packages put a script in front of dotnet: then it has to be asked where its SDKs are.
        if (-not (Test-Sdk $dotnetRoot)) {
            $listed = & $found.Source --list-sdks | Where-Object { $_ -match '^10\..* \[(.*)[\\/]sdk\]$' } | Select-Object -First 1
            $dotnetRoot = if ($listed -match '\[(.*)[\\/]sdk\]$') { $Matches[1] } else { $null }
        }
    }
}
if (-not (Test-Sdk $dotnetRoot)) {
    Stop-WithError 'wisca: no .NET 10 SDK found: install it from https://dotnet.microsoft.com/download/dotnet/10.0'
}

function Test-Unbuilt { -not [IO.File]::Exists($app) -or (Test-Stale $stamp) }

function Invoke-Build {
    [Console]::Error.WriteLine('wisca: building (once, and when sources change) ...')
    # The stamp is as old as the start of the build, so that a source saved meanwhile is not missed.
    $started = [DateTime]::UtcNow
    $dotnet = [IO.Path]::Combine($dotnetRoot, $(if ($windows) { 'dotnet.exe' } else { 'dotnet' }))
    $project = [IO.Path]::Combine($root, 'src', 'Wisca.Cli')
    $log = & $dotnet build $project --configuration Release --nologo --verbosity quiet '-clp:NoSummary' 2>&1
    if ($LASTEXITCODE -ne 0) {
        $lines = $log | ForEach-Object { "$_" } | Where-Object { $_ -match 'error|warn' } | Sort-Object -Unique | Select-Object -First 20
        Stop-WithError (@($lines) + 'wisca: the build failed')
    }
    [IO.File]::WriteAllText($stamp, '')
    [IO.File]::SetLastWriteTimeUtc($stamp, $started)
}

if (Test-Unbuilt) {
    [void] [IO.Directory]::CreateDirectory($artifacts)
    # Two first runs at once: one builds and the other waits.
    $lock = $null
    while (-not $lock) {
        try { $lock = [IO.File]::Open([IO.Path]::Combine($artifacts, '.building.lock'), 'OpenOrCreate', 'ReadWrite', 'None') }
        catch [IO.IOException] { Start-Sleep -Milliseconds 100 }
    }
    try { if (Test-Unbuilt) { Invoke-Build } } finally { $lock.Dispose() }
}

if ($args.Count -eq 1 -and $args[0] -eq '--build-only') {
    [IO.File]::WriteAllText([IO.Path]::Combine($artifacts, '.dotnet-root'), $dotnetRoot)
    exit 0
}
$env:DOTNET_ROOT = $dotnetRoot
& $app @args
exit $LASTEXITCODE
