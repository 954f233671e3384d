"""Cells of CSV files that people open in spreadsheets, which take some texts for formulas."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # begin what a spreadsheet would run


def as_text(cell: str) -> str:
    """Return a cell that a spreadsheet shows as it is: an apostrophe comes before a formula."""
    return f"'{cell}" if cell.lstrip("'").startswith(FORMULA) else cell


def from_text(cell: str) -> str:
    """Return what `as_text` was given."""
    return cell[1:] if cell.startswith("'") and as_text(cell[1:]) == cell else cell
