using System.Reflection;
using Microsoft.Playwright;
using Wisca.Tests;

namespace Wisca.Reporting.Tests;

/// <summary>Debian's Chromium and pages of made studies on disk;
/// where no browser is installed, tests that ask for it are skipped.</summary>
public sealed class BrowserFixture : IAsyncLifetime
{
    private const string Chromium = "/usr/bin/chromium";

    private readonly TemporaryFolder _folder = new();
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    /// <summary>Opens <see cref="Page.Realistic"/>.</summary>
    internal Task<OpenedPage> Open(int width = 1200, ColorScheme scheme = ColorScheme.Light) =>
        Open("realistic", () => Page.Realistic, width, scheme);

    /// <summary>Opens a page.</summary>
    internal async Task<OpenedPage> Open(string name, Func<string> html, int width = 1200, ColorScheme scheme = ColorScheme.Light)
    {
        Assert.SkipUnless(File.Exists(Chromium), $"{Chromium} is not there: apt-get install chromium");
        if (_browser is null)
        {
            string driver = typeof(BrowserFixture)
                .Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
                .Single(attribute => attribute.Key == "PlaywrightDriver")
                .Value!;
            Environment.SetEnvironmentVariable("PLAYWRIGHT_DRIVER_SEARCH_PATH", driver);
            _playwright = await Playwright.CreateAsync();
            _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
            {
                ExecutablePath = Chromium,
                Args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
            });
        }

        string file = _folder[$"{name}.html"];
        if (!File.Exists(file)) await File.WriteAllTextAsync(file, html());
        var page = await _browser.NewPageAsync(
            new BrowserNewPageOptions
            {
                ViewportSize = new ViewportSize { Width = width, Height = 800 },
                ColorScheme = scheme,
            });
        var opened = new OpenedPage(page);
        await page.GotoAsync(new Uri(file).AbsoluteUri);
        return opened;
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null) await _browser.CloseAsync();
        _playwright?.Dispose();
        _folder.Dispose();
    }
}
