# SPDX-License-Identifier: Apache-2.0
"""The wire: every register, code and structure a guest can see, each declared once.

`mmio`, `ring`, `snd` and `probe` hold the declarations, `profile` loads what one device offers, and
`python -m virtone.virtio.emit` renders `rtl/pkg/*_pkg.sv` and `docs/reference/*.md` from them.
"""
