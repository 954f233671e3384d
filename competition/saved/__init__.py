"""A stack on disk: everything that tags new ads on another machine, and no pickle.

::

    manifest.json                       what is in it: see `competition.saved.manifest`
    level1/<model>/fold_<k>/            the level-1 model of fold k
    level2/fold_<k>/                    the meta-learner of fold k
    checkpoints/<n>/                    encoders of features, where they were copied
"""
