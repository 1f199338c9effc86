"""The ground truth is what the documentation says of it."""

from demo.listeners import TYPES, Listener, bayes_error, listener

SEED = 11


def population(customers: int) -> list[Listener]:
    return [listener(SEED, customer_id) for customer_id in range(customers)]


def test_the_same_seed_and_id_are_the_same_person() -> None:
    assert listener(SEED, 42) == listener(SEED, 42)
    assert listener(SEED, 42) != listener(SEED, 43)
    assert listener(SEED, 42) != listener(SEED + 1, 42)


def test_habits_are_probabilities() -> None:
    for person in population(300):
        assert abs(sum(person.habits[:4]) - 1) < 1e-9
        assert all(0 <= habit <= 1 for habit in person.habits)


def test_the_shares_of_the_types_add_up() -> None:
    assert abs(sum(kind.share for kind in TYPES) - 1) < 1e-9


def test_about_fifteen_percent_are_prone_to_click() -> None:
    people = population(4000)
    prone = sum(person.click_probability > 0.5 for person in people) / len(people)
    assert 0.13 < prone < 0.18


def test_nobody_can_predict_every_click_but_most() -> None:
    assert 0.03 <= bayes_error(population(4000)) <= 0.05


def test_more_mornings_on_the_phone_mean_more_clicks() -> None:
    person = listener(SEED, 1)
    keen = Listener(1, person.habits._replace(morning=0.7, night=0.0, mobile=1.0), 1.0, person.favourites, "UTC")
    averse = Listener(1, person.habits._replace(morning=0.0, night=0.7, mobile=0.0), 1.0, person.favourites, "UTC")
    assert averse.click_probability < 0.05
    assert keen.click_probability > 0.95
