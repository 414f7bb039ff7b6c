"""Where the installed library is, for C++ projects.

    cmake -S . -B build -DCMAKE_PREFIX_PATH=$(python -m cotan.config --prefix)

`find_package(cotan)` then gives the target `cotan::cotan`; `--cmake-dir`
names the folder of its configuration file (for `-Dcotan_DIR=`).
"""

import sys

if __name__ == "__main__":
    from cotan._src.paths import main

    main()
else:
    # `cotan.config` is the settings object (as in JAX), however it is imported.
    from cotan._src.settings import config

    sys.modules[__name__] = config
