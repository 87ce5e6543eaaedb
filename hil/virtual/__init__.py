# SPDX-License-Identifier: Apache-2.0
"""The virtual bench: `python -m hil.virtual` (docs/architecture.md, section 6; hil/README.md)."""
