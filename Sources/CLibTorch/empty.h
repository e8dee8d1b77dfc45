// LibTorch's headers are C++; only CTorch reads them. This module carries their search path and the libraries to link.
