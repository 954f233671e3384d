"""An HTTP service that tags ads with a saved stack.

::

    settings.py   what may be said of a service
    refusals.py   why a request is not answered
    form.py       from the JSON of a request to rows of ads
    uploads.py    the body of a request, and the files that it brings
    batches.py    one queue, one thread that predicts what waits in it
    service.py    from rows to answers
    app.py        routes
    server.py     sockets, processes and signals
"""
