import pytest
from dvc.exceptions import NotDvcRepoError

from pipeline.commands.experiments import main
from pipeline.common.errors import InputError

DIM = "experiments.lstm_ctc_variable.model.lstm_dim"


def row(name: str | None, dim: float, cer: float | None, state: str | None = None) -> dict[str, object]:
    """An experiment as DVC gives it."""
    return {
        "Experiment": name,
        "rev": "main" if name is None else "5896e58",
        "State": state,
        "training.seeds": "[42]",
        "lstm_ctc_variable.accuracy": cer,
        "lstm_ctc_variable.cer": cer,
        "simple_ce_aligned.cer": 0.25,
        DIM: dim,
        "models/lstm_ctc_variable": "3f1",
    }


def show(monkeypatch: pytest.MonkeyPatch, *rows: dict[str, object]) -> None:
    monkeypatch.setattr("dvc.api.exp_show", lambda: list(rows))
    main()


def test_changed_settings_and_rates_are_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show(monkeypatch, row(None, 512.0, 0.0622), row("narrow", 256.0, 0.0701), row("wide", 1024.0, None, "Queued"))
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["main", "narrow", "wide"],
        ["State", "-", "-", "Queued"],
        [DIM, "512", "256", "1024"],
        ["lstm_ctc_variable.cer", "0.0622", "0.0701", "-"],
    ]


def test_many_experiments_fit_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"experiment-{number}" for number in range(20)]
    show(monkeypatch, *(row(name, 8.0 * number, number / 20) for number, name in enumerate(names)))
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 120
    assert all(name in shown for name in names)


def test_without_experiments_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^there are no experiments since the last commit; run one with: dvc"):
        show(monkeypatch, row(None, 512.0, 0.0622), row(None, 512.0, 0.0622))


def test_dvc_says_why_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> list[dict[str, object]]:
        raise NotDvcRepoError("you are not inside of a DVC repository")

    monkeypatch.setattr("dvc.api.exp_show", refuse)
    with pytest.raises(InputError, match=r"^DVC cannot list experiments: you are not inside of a DVC repository$"):
        main()
