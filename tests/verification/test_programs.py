"""What statements are computed in."""

import threadpoolctl

from theory.verification.programs import arithmetic


def threads():
    found = threadpoolctl.threadpool_info()
    return {library["num_threads"] for library in found if library["user_api"] == "blas"}


def test_lapack_has_one_thread_inside_and_as_many_as_before_outside():
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        with arithmetic("float64"):
            assert threads() == {1}
        assert threads() == {2}
