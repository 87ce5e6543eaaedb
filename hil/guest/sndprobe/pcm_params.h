// SPDX-License-Identifier: Apache-2.0
// Hardware parameters of a stream, narrowed one by one, so that a refusal can name what the driver allows.
//
// Promise: what cannot be had exactly ends the program with the parameter, the value and the driver's range.
#ifndef PCM_PARAMS_H
#define PCM_PARAMS_H

#include <sound/asound.h>

#include "pcm.h"

// Sets exactly the stream's parameters on an open descriptor.
void pcm_set_hardware(int descriptor, const struct stream *stream);
// Keys `formats` to `buffer_frames` of an open object: what the driver offers.
void pcm_describe(int descriptor);

#endif
