"""A copy of a log, fetched as tlog-tiles describes it: by the size in its checkpoint alone."""

import pathlib
import urllib.error
import urllib.request

WIDTH = 256


def number(n: int) -> str:
    """An index as paths have it."""
    groups = [f"{n % 1000:03}"]
    while n >= 1000:
        n //= 1000
        groups.insert(0, f"x{n % 1000:03}")
    return "/".join(groups)


def resources(size: int) -> list[str]:
    """The paths of everything that a log of this size has."""
    paths, level, count = [], 0, size
    while count > 0:
        for index in range(-(-count // WIDTH)):
            width = min(WIDTH, count - index * WIDTH)
            name = number(index) + (f".p/{width}" if width < WIDTH else "")
            paths.append(f"tile/{level}/{name}")
            if level == 0:
                paths.append(f"tile/entries/{name}")
        level, count = level + 1, count // WIDTH
    return paths


def get(url: str) -> tuple[int, bytes, dict]:
    """Status, body and headers."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read(), dict(error.headers)


def size_of(checkpoint: bytes) -> int:
    """What a checkpoint says; whether it is true is for others to verify."""
    return int(checkpoint.split(b"\n")[1])


def mirror(prefix: str, folder: pathlib.Path) -> int:
    """Copies the log below `prefix` into a folder; its size."""
    status, checkpoint, _ = get(f"{prefix}/checkpoint")
    if status != 200:
        raise RuntimeError(f"{prefix}/checkpoint: {status}")
    size = size_of(checkpoint)
    for path, body in [("checkpoint", checkpoint)] + [(p, None) for p in resources(size)]:
        if body is None:
            status, body, _ = get(f"{prefix}/{path}")
            if status != 200:
                raise RuntimeError(f"{prefix}/{path}: {status}")
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    return size
