@echo off
rem Builds wisca when its sources changed, then runs it. Needs nothing but a .NET 10 SDK.
setlocal
powershell -NoProfile -ExecutionPolicy Bypass -File "%~dp0wisca.ps1" --build-only || exit /b 1
set /p DOTNET_ROOT=<"%~dp0artifacts\.dotnet-root"
"%~dp0artifacts\bin\Wisca.Cli\release\wisca.exe" %*
