"""HTML of the page: a net's plan as a row of switches, and what the net says."""

from __future__ import annotations

import base64
import io
from html import escape
from itertools import groupby

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from residua.arch.count import totals
from residua.arch.plan import Unit
from residua.demo.answers import Answer
from residua.nets.build import Net

SIDE = 256  # of the pictures, in pixels
SHOWN = 5  # classes
LOWEST, HIGHEST = 26, 74  # of a unit's bar, in pixels

# From dark to bright in steps of equal lightness, for all eyes: a few colours of "inferno".
RAMP = np.array([(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], float)


def heading(net: Net, place: str) -> str:
    """What a net is, and where it came from."""
    meta = net.meta
    assert meta is not None
    return (
        f'<header class="net"><h2>{escape(meta.net)}</h2><p>{escape(place)}</p>'
        f"<p>{len(net.plan)} units, {totals(net.spec).params:,} parameters, trained on "
        f"{escape(meta.data)}</p></header>"
    )


def plan(rows: tuple[Unit, ...], kept: dict[int, str]) -> str:
    """A switch for each row of a plan, as high as the unit is wide, stage by stage.

    The template of a component whose value is the list of units left out.

    Args:
        rows: The plan.
        kept: The units that cannot be left out, each with the reason.
    """
    widest = max(row.c_out for row in rows)
    stages = "".join(
        f'<fieldset><legend>stage {stage}</legend><div class="units">'
        + "".join(_switch(row, widest=widest, reason=kept.get(row.index)) for row in units)
        + "</div></fieldset>"
        for stage, units in groupby(rows, key=lambda row: row.stage)
    )
    return (
        f'<div class="plan"><div class="stages">{stages}</div><p><output>${{value.length}} of '
        f'{len(rows)} units left out</output><button type="button" class="all" '
        f"${{value.length ? '' : 'disabled'}}>Put all back</button></p></div>"
    )


def _switch(row: Unit, *, widest: int, reason: str | None) -> str:
    height = LOWEST + round((HIGHEST - LOWEST) * row.c_out / widest)
    what = f"unit {row.index}: {row.c_in} → {row.c_out} channels, shortcut {row.shortcut}"
    halves = ", halves the size" if row.stride > 1 else ""
    state = (
        "disabled" if reason else f'aria-checked="${{!value.includes({row.index})}}" role="switch"'
    )
    return (
        f'<button type="button" class="unit {row.shortcut}" data-unit="{row.index}" {state} '
        f'style="height:{height}px" aria-label="unit {row.index}" '
        f'title="{escape(reason or what + halves)}">{row.index}</button>'
    )


def said(answer: Answer) -> str:
    """Classes with their probabilities, beside those of the whole net; notes; where it looks."""
    rows = "".join(
        _row(guess.name, guess.probability, answer.whole[guess.name])
        for guess in answer.now.classes[:SHOWN]
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in answer.now.notes)
    seen = _picture(answer)
    overlaid = _coloured(seen, answer.heat)
    return (
        f'<div class="said"><table><tbody>{rows}</tbody></table>'
        + (f'<ul class="notes">{notes}</ul>' if notes else "")
        + f'<div class="pictures">{_figure(seen, "what the net sees")}'
        + f"{_figure(overlaid, f'what speaks for {answer.looked_for}')}</div></div>"
    )


def message(text: str) -> str:
    """Something that the user should know instead of an answer."""
    return f'<p class="message" role="alert">{escape(text)}</p>'


def _row(name: str, now: float, whole: float) -> str:
    mark = was = ""
    if f"{now:.3f}" != f"{whole:.3f}":
        mark = f'<b style="left:{100 * whole:.2f}%"></b>'
        was = f"was {100 * whole:.1f} %"
    return (
        f'<tr><th scope="row">{escape(name)}</th>'
        f'<td class="bar"><i style="width:{100 * now:.2f}%"></i>{mark}</td>'
        f'<td class="now">{100 * now:.1f} %</td><td class="was">{was}</td></tr>'
    )


def _figure(picture: Image.Image, caption: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    content = base64.b64encode(buffer.getvalue()).decode()
    text = escape(caption)
    return (
        f'<figure><img src="data:image/png;base64,{content}" alt="{text}" width="{SIDE}" '
        f'height="{SIDE}"><figcaption>{text}</figcaption></figure>'
    )


def _picture(answer: Answer) -> Image.Image:
    array = answer.pixels.permute(1, 2, 0).numpy()
    picture = Image.fromarray(array[..., 0] if array.shape[2] == 1 else np.ascontiguousarray(array))
    return picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.NEAREST)


def _coloured(picture: Image.Image, heat: Float[Tensor, "i j"]) -> Image.Image:
    """The picture in grey, half covered by the heat's colours."""
    large = Image.fromarray(heat.numpy()).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    places = np.linspace(0, 1, len(RAMP))
    colours = [np.interp(np.asarray(large), places, channel) for channel in RAMP.T]
    layer = Image.fromarray(np.stack(colours, axis=2).astype(np.uint8))
    return Image.blend(picture.convert("L").convert("RGB"), layer, 0.6)
