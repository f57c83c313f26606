"""What runs here: version, target of the compiled kernels, threads."""

from fastmlp import _core
from fastmlp._threads import available_threads


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
    _core.set_target(name)


def show_info() -> None:
    """Print the version, the target in use, the targets available, and the threads."""
    targets = _core.catalog()["targets"]
    available = ", ".join(row["name"] for row in targets if row["available"])
    current = get_target()
    doc = next((row["doc"] for row in targets if row["name"] == current), "")
    print(f"fastmlp    {_core.__version__}")
    print(f"target     {current}" + (f" ({doc})" if doc else ""))
    print(f"available  {available}")
    print(f"threads    {available_threads()}")
