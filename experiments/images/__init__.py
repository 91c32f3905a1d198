"""Networks of images: what they are, how they are trained, and the noises that fool them."""
