"""What statements are computed in."""

import threading

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


def test_the_last_of_several_threads_gives_lapack_its_own_back():
    """Entered first and left first: the other is still inside, with one thread."""
    entered, leave, left, seen = (threading.Event() for _ in range(4))
    found = []

    def first():
        with arithmetic("float64"):
            entered.set()
            leave.wait(30)
        left.set()

    def second():
        entered.wait(30)
        with arithmetic("float64"):
            leave.set()
            left.wait(30)
            found.append(threads())
        seen.set()

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        for one in (first, second):
            threading.Thread(target=one).start()
        assert seen.wait(60)
        assert found == [{1}]
        assert threads() == {2}
