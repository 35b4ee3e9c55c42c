from roofcube.kernels.tuning import TUNING, Tuning


def test_a_tuning_shows_what_it_changes():
    assert repr(TUNING) == "Tuning()"
    assert repr(Tuning(terms=(2,), tile_points=7)) == "Tuning(terms=(2,), tile_points=7)"
