"""Clusters of dask in this process, which start at once."""

from distributed import LocalCluster


def in_threads(n_workers):
    """Workers that are threads."""
    return LocalCluster(
        processes=False, n_workers=n_workers, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    )
