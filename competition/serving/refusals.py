"""Why a request is not answered."""

from competition.utils.errors import CompetitionError

BAD_REQUEST = 400
FORBIDDEN = 403
TOO_SLOW = 408
TOO_LARGE = 413
OTHER_FORM = 415
WRONG_AD = 422
BUSY = 503
NOT_IN_TIME = 504


class RefusedError(CompetitionError):
    """A request that is not answered.

    Parameters
    ----------
    status : int
        Of HTTP.
    sentence : str
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
