"""`make figures`: draw every committed figure."""

import sys

from lightbroker.lab.figures.catalogue import main

sys.exit(main())
