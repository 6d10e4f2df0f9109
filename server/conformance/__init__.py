"""The protocol's rules asked of any server over HTTP: `dishu conformance URL`.

Nothing here knows how a server is built: `line` sends bytes and reads answers, `device` is an enrolled install that numbers its operations and
keeps what it pulled, `ground` finds two devices and a place, `about_*` ask one rule each, `run` asks them all and says what was found.
"""
