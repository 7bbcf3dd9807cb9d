"""``python -m containers.bench up|images|down``: the bench by hand, from the folder tests/."""

import argparse

from containers.bench.bench import Bench, bench_folder
from containers.bench.shell import say


def main() -> None:
    """Start the bench, build its images, or remove it."""
    parser = argparse.ArgumentParser(prog="python -m containers.bench", description=__doc__)
    parser.add_argument("what", choices=("up", "images", "down"))
    what = parser.parse_args().what
    bench = Bench(bench_folder())
    bench.start()
    if what == "down":
        bench.suite().down()
        bench.stop()
        return
    bench.build_images()
    if what == "up":
        suite = bench.suite()
        suite.up()
        say(f"the API: http://{bench.bridge_address}:5072")
    environment = " ".join(f"{key}={value}" for key, value in bench.engine.environment.items())
    say(f"its engine: export {environment}")


if __name__ == "__main__":
    main()
