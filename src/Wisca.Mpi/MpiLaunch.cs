using System.Globalization;

namespace Wisca.Mpi;

/// <summary>How a launcher of MPI programs started this process, as its environment tells.</summary>
/// <param name="Launcher">What to call the launcher.</param>
/// <param name="Size">Number of processes that it started.</param>
/// <param name="Rank">The number of this one.</param>
/// <param name="IsOpenMpi">True where Open MPI is expected, false for MPICH and its kin.</param>
/// <param name="Library">The library that the user named; null to look for one.</param>
internal sealed record MpiLaunch(string Launcher, int Size, int Rank, bool IsOpenMpi, string? Library)
{
    /// <summary>Names the library where the usual names find none.</summary>
    public const string LibraryVariable = "WISCA_MPI";

    /// <summary>How this process was started; null where no launcher did.</summary>
    /// <param name="variable">Reads the environment.</param>
    public static MpiLaunch? Find(Func<string, string?> variable)
    {
        string? library = variable(LibraryVariable) is { Length: > 0 } named ? named : null;
        if (Count("OMPI_COMM_WORLD_SIZE") is { } open)
            return new MpiLaunch("mpirun", open, Number("OMPI_COMM_WORLD_RANK") ?? 0, true, library);
        if (Count("PMI_SIZE") is { } hydra) return new MpiLaunch("mpirun", hydra, Number("PMI_RANK") ?? 0, false, library);

        // srun --mpi=pmix tells no size of its own.
        return Number("PMIX_RANK") is { } rank && Count("SLURM_STEP_NUM_TASKS") is { } step
            ? new MpiLaunch("srun", step, rank, true, library)
            : null;

        int? Count(string name) => Number(name) is > 0 and var count ? count : null;

        int? Number(string name) =>
            int.TryParse(variable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
    }
}
