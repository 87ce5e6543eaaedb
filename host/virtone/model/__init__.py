# SPDX-License-Identifier: Apache-2.0
"""The guest's half (reference driver) and the device's half (oracle) of the device, in plain Python.

`docs/device.md` says what both do, `docs/architecture.md` section 4 what they know of each other. Reading order:

* the world: `port` (contract), `timeline`, `memory`, `mutex`, `errors`
* the guest's half: `virtqueue`, `transport`, `control_message`, `driver`, `pcm_hw`, `pcm_message`, `pcm_substream`,
  `pcm_policies`, and above them `pcm_core` (states in `pcm_state`), what an application uses
* the device's half: `lifecycle`, `word_clock`, `device_profile`, `device_chain`, `device_queue`, `device_control`,
  `device_stream`, `device_registers`, `device_probe`, `device`, and `device_port`, the `Port` to it
* about both: `checks` (what must hold) and `budget` (latency arithmetic)
"""
