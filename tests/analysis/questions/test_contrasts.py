"""What is compared by its optimizer, planned from traits."""

import fakes
from bakeoff.analysis.questions.contrasts import contrasts

ADAM, ADAMW, SGD, MOMENTUM = ((n, "lstm", 1, o) for n, o in enumerate(("adam", "adamw", "sgd", "momentum"), start=1))


def planned(path, keys, edit=lambda experiments: None):
    """Kinds and numbers of what a study of those experiments plans."""
    study = fakes.read_study(path, dict.fromkeys(keys), edit=lambda study: edit(study["experiments"]))
    return [(c.kind, c.first.number, c.second.number) for c in contrasts(study)]


def test_the_twelve_plan_four_comparisons_an_architecture(tmp_path):
    found = contrasts(fakes.twelve(tmp_path))
    assert [(c.kind, c.name) for c in found] == [
        ("adaptive", "adam-1-against-sgd-3"),
        ("against momentum", "adam-1-against-momentum-4"),
        ("momentum", "momentum-4-against-sgd-3"),
        ("decay", "adamw-2-against-adam-1"),
        ("adaptive", "adam-5-against-sgd-7"),
        ("against momentum", "adam-5-against-momentum-8"),
        ("momentum", "momentum-8-against-sgd-7"),
        ("decay", "adamw-6-against-adam-5"),
    ]


def test_names_of_optimizers_and_of_their_settings_plan_nothing(tmp_path):
    def edit(experiments):
        for experiment in experiments:
            settings = experiment["optimizer_settings"]
            experiment["optimizer_settings"] = {f"x_{name}": value for name, value in settings.items()}

    assert planned(tmp_path, [ADAM, SGD, MOMENTUM], edit) == [
        ("adaptive", 1, 2 + 1),
        ("against momentum", 1, 4),
        ("momentum", 4, 3),
    ]


def test_decay_is_compared_with_the_same_rule_and_settings_without(tmp_path):
    def all_decayed(experiments):
        experiments[1]["optimizer_settings"]["decayed"] = "all"

    def other_betas(experiments):
        experiments[1]["optimizer_settings"]["betas"] = [0.9, 0.95]

    def other_rule(experiments):
        experiments[1]["traits"]["rule"] = "radam"

    assert planned(tmp_path / "all", [ADAM, ADAMW], all_decayed) == [("decay", 2, 1)]
    assert planned(tmp_path / "betas", [ADAM, ADAMW], other_betas) == [("other", 2, 1)]
    assert planned(tmp_path / "rule", [ADAM, ADAMW], other_rule) == [("other", 2, 1)]


def test_every_adaptive_rule_is_compared_by_the_one_with_the_least_decay(tmp_path):
    def rms(experiments):
        experiments[1]["traits"]["rule"] = "rmsprop"

    assert planned(tmp_path / "one", [ADAMW, SGD]) == [("adaptive", 2, 3)]
    assert planned(tmp_path / "two", [ADAM, ADAMW, SGD], rms) == [("adaptive", 1, 3), ("adaptive", 2, 3)]


def test_without_traits_it_is_compared_plainly_with_the_first_of_its_group(tmp_path):
    def plain(*places):
        def edit(experiments):
            for place in places:
                experiments[place]["traits"] = dict.fromkeys(experiments[place]["traits"])

        return edit

    four = [ADAM, ADAMW, SGD, MOMENTUM]
    assert planned(tmp_path / "all", [ADAM, ADAMW, SGD], plain(0, 1, 2)) == [("other", 2, 1), ("other", 3, 1)]
    assert planned(tmp_path / "one", four, plain(1))[-1] == ("other", 2, 1)
    assert planned(tmp_path / "first", [ADAM, SGD, MOMENTUM], plain(0)) == [("momentum", 4, 3), ("other", 1, 3)]


def test_models_of_unlike_size_are_not_compared_by_their_optimizers(tmp_path):
    def edit(experiments):
        experiments[1]["architecture"]["hidden"] = 999

    assert planned(tmp_path, [ADAM, SGD], edit) == []


def undertuned(path, keys, *, seeds=(0,), edit=lambda study: None, **ends):
    """By kind: verdicts and whether the first lost to its own special case, of experiments with those ends."""
    curves = {key: [ends[key[3]]] for key in keys}
    found = contrasts(fakes.read_study(path, curves, seeds=seeds, edit=edit))
    return {c.kind: (c.verdict, c.undertuned) for c in found}


def test_who_loses_to_its_own_special_case_beyond_noise_is_undertuned_and_decides_nothing(tmp_path):
    """A single seed's difference is clear from five deviations, each of 0.02."""
    assert undertuned(tmp_path / "a", [ADAM, ADAMW], adam=4.5, adamw=4.61) == {"decay": ("cannot be told", True)}
    assert undertuned(tmp_path / "b", [ADAM, ADAMW], adam=4.5, adamw=4.59) == {"decay": ("leaning no", False)}
    assert undertuned(tmp_path / "c", [ADAM, ADAMW], adam=4.61, adamw=4.5) == {"decay": ("yes", False)}
    three = undertuned(tmp_path / "d", [SGD, MOMENTUM], seeds=(0, 1, 2), sgd=4.5, momentum=4.52)
    assert three == {"momentum": ("undecided", True)}


def test_only_what_contains_the_other_is_undertuned(tmp_path):
    found = undertuned(tmp_path / "rules", [ADAM, SGD, MOMENTUM], adam=4.9, sgd=4.6, momentum=4.4)
    assert found == {"adaptive": ("no", False), "against momentum": ("no", False), "momentum": ("yes", False)}

    def decay_plain(study):
        study["experiments"][0]["weight_decay"] = 0.1

    found = undertuned(tmp_path / "decay", [SGD, MOMENTUM], edit=decay_plain, sgd=4.5, momentum=4.7)
    assert found == {"momentum": ("no", False)}
