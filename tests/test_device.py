"""A lack of GPU memory is told apart from other errors, and leaves nothing behind."""

import threading

import pytest
import torch

from ct_assets.device import GpuMemoryError, in_gpu_memory


@pytest.fixture(params=[False, True], ids=["never lacked", "lacked before"])
def lacked(request, monkeypatch) -> bool:
    """What torch tells of a GPU whose memory did, or did not, lack before."""
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "memory_stats", lambda: {"num_ooms": int(request.param)})
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    return request.param


def test_work_is_done_in_a_new_thread_once_memory_has_lacked(lacked):
    """torch keeps, for each thread, the slow convolutions that it took when memory lacked."""
    threads = [in_gpu_memory(threading.current_thread, "some") for _ in range(2)]
    assert len({threading.main_thread(), *threads}) == (3 if lacked else 1)


def test_a_lack_of_memory_names_the_model(lacked):
    def work() -> None:
        message = "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
        raise RuntimeError(message)

    with pytest.raises(GpuMemoryError, match=r"^model some: the GPU has too little memory \(CUDA error: CUBLAS_"):
        in_gpu_memory(work, "some")


def test_another_error_stays_what_it_is(lacked):
    with pytest.raises(ZeroDivisionError):
        in_gpu_memory(lambda: 1 // 0, "some")


def test_a_cpu_needs_no_thread():
    assert in_gpu_memory(threading.current_thread, "some") is threading.main_thread()
