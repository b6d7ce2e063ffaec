"""What the compiler is really called with."""
import json
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_format_security_is_an_error():
    """Was lost: gcc takes -Werror=format-security only beside -Wformat, so its probe failed."""
    folder = pathlib.Path(os.environ.get("ESTEIRA_BIN_DIR", ROOT / "build/dev/bin")).parent
    calls = json.loads((folder / "compile_commands.json").read_text(encoding="utf-8"))
    ours = [call for call in calls if call["file"].startswith(str(ROOT / "services"))]
    assert ours and all("-Werror=format-security" in call["command"] for call in ours)
