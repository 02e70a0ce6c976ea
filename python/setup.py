"""A wheel for one platform and any Python 3: it holds the library that `WISCA_LIBRARY` names, or that lies in src/wisca."""

import os
import shutil
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

NAME = {"win32": "wisca.dll", "darwin": "libwisca.dylib"}.get(sys.platform, "libwisca.so")


class WithLibrary(build_py):
    """Copies the library into the package."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        source = Path(os.environ.get("WISCA_LIBRARY") or Path(__file__).parent / "src" / "wisca" / NAME)
        if not source.is_file():
            raise SystemExit(f"setup.py: {source} does not exist: build libwisca, and name it by WISCA_LIBRARY")
        shutil.copyfile(source, Path(self.build_lib) / "wisca" / NAME)


class ForPlatform(bdist_wheel):
    """Tags the wheel py3-none-PLATFORM: the package is Python, the library is not."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


class WithNativeCode(Distribution):
    """A distribution for one platform."""

    def has_ext_modules(self):
        return True


setup(cmdclass={"build_py": WithLibrary, "bdist_wheel": ForPlatform}, distclass=WithNativeCode)
