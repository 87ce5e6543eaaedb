# SPDX-License-Identifier: Apache-2.0
"""Real workloads on the Linux board: what people run there, each compared with what left the I2S pins.

`python -m hil.soak` runs the table, writes soak.json and soak.log, prints an outcome each. `table` is the list of workloads as data; `playback`,
`speaker`, `pause`, `cycles`, `xrun`, `driver`, `endurance` are its families; `session` the board under test, `listener` what is
heard, `compare` how it is judged, `material` what is played; `outcome` and `runner` make the report.
"""
