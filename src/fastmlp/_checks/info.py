"""What runs here: version, target of the compiled kernels, threads."""

from fastmlp import _core
from fastmlp._checks.threads import available_threads, resolve_n_jobs


def get_target() -> str:
    """Return the name of the target whose kernels new networks will use.

    Returns
    -------
    target : str
        A name such as 'v3'; `show_info` lists them all.
    """
    return _core.current_target()


def set_target(name: str) -> None:
    """Choose the kernels for the networks made from now on.

    Networks that exist keep the target that they were made with.

    Parameters
    ----------
    name : str
        One of the available targets; see `show_info`.

    Raises
    ------
    ValueError
        If there is no such target, or this machine can't run it.
    """
    if not isinstance(name, str):
        raise ValueError(f"name must be that of a target, a str; got {name!r}.")
    _core.set_target(name)


def machine_limits(n_jobs: int | None = None) -> dict[str, float]:
    """Measure what this machine can do at best, in about half a second.

    The loops are those of the target in use: multiply-adds on registers alone, and the triad
    ``a = b + s * c`` of STREAM [1]_ over arrays of 64 MB.

    Parameters
    ----------
    n_jobs : int, default=None
        The number of threads, as in the estimators; None is all that the process may use.

    Returns
    -------
    limits : dict
        `flops`, the floating-point operations per second in float32, and `bandwidth`, the bytes
        per second that are read and written in memory.

    Raises
    ------
    ValueError
        If `n_jobs` is 0 or not an integer.

    References
    ----------
    .. [1] J. D. McCalpin, "Memory bandwidth and machine balance in current high performance
       computers", IEEE TCCA Newsletter, 1995.
    """
    flops, bandwidth = _core.machine_limits(resolve_n_jobs(n_jobs))
    return {"flops": flops, "bandwidth": bandwidth}


def show_info(*, limits: bool = False) -> None:
    """Print the version, the target in use, the targets available, and the threads.

    Parameters
    ----------
    limits : bool, default=False
        Whether to measure and print what the machine can do at best as well, as
        `machine_limits` does.
    """
    targets = _core.catalog()["targets"]
    available = ", ".join(row["name"] for row in targets if row["available"])
    current = get_target()
    doc = next((row["doc"] for row in targets if row["name"] == current), "")
    print(f"fastmlp    {_core.__version__}")
    print(f"target     {current}" + (f" ({doc})" if doc else ""))
    print(f"available  {available}")
    print(f"threads    {available_threads()}")
    if limits:
        best = machine_limits()
        print(f"limits     {best['flops'] / 1e9:.0f} GFLOP/s, {best['bandwidth'] / 1e9:.1f} GB/s")
