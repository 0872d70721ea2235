"""What other libraries call our options, and which of ours an unknown name may mean."""

from __future__ import annotations

from collections.abc import Collection

#: Spellings of Keras, scikit-learn, optax and papers, in lower case without underscores, and what
#: they mean here: those among them that a class has. What is no name of an option is advice.
SPELLINGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("learningrate", "learningrateinit", "stepsize", "rate", "eta"), ("lr",)),
    "lrate": ("lr",),
    **dict.fromkeys(("eta0", "initiallr", "baselr"), ("lr",)),
    **dict.fromkeys(("beta1", "beta2", "b1", "b2", "beta"), ("betas", "alpha", "momentum")),
    **dict.fromkeys(("beta3", "b3"), ("betas",)),
    "talphabeta3": ("t_alpha", "t_beta3"),
    "clipexp": ("clip_exponent",),
    **dict.fromkeys(("epsilon", "epsroot", "fuzz"), ("eps",)),
    **dict.fromkeys(("mu", "mom", "momentumdecay"), ("momentum",)),
    **dict.fromkeys(("rho", "decayrate"), ("alpha", "rho")),
    "alpha": ("lr", "rho", "weight_decay"),
    **dict.fromkeys(("lrdecay", "gamma"), ("lr_decay", "a scheduler for a rate that decays")),
    **dict.fromkeys(("lam", "lambda", "reg"), ("weight_decay",)),
    "decay": ("alpha", "rho", "lr_decay", "weight_decay", "a scheduler for a rate that decays"),
    **dict.fromkeys(("wd", "l2", "l2reg", "l2penalty", "weightpenalty"), ("weight_decay",)),
    **dict.fromkeys(("nesterovsmomentum", "usenesterov"), ("nesterov",)),
    "initialaccumulator": ("initial_accumulator_value",),
    **dict.fromkeys(("etaminus", "etaplus"), ("etas",)),
    **dict.fromkeys(("minstep", "maxstep"), ("step_sizes",)),
    **dict.fromkeys(
        ("maxnorm", "clipnorm", "globalclipnorm"), ("the argument max_norm of step()",)
    ),
    "clipvalue": ("the function ferrostep.clip.clip_by_value()",),
    "zerograd": ("nothing: gradients are given to step(grads), and there are none to zero",),
    "minimize": ("step(grads) with gradients of your own making",),
    **dict.fromkeys(("gradscale", "lossscale"), ("the argument grad_scale of step()",)),
}


def meant(name: str, known: Collection[str]) -> list[str]:
    """Return what another library's spelling means here; nothing for what is none."""
    if name in known:
        return []
    found = SPELLINGS.get(name.lower().replace("_", ""), ())
    return [ours for ours in found if ours in known or " " in ours]


def hint(name: str, known: Collection[str]) -> str:
    """Return the end of an error about an unknown name: what it may mean, or what there is."""
    from difflib import get_close_matches  # for errors alone

    found = meant(name, known) or get_close_matches(name.lower(), known, 1)
    if not found:
        return ""
    return f"; did you mean {' or '.join(repr(x) if x in known else x for x in found)}?"
