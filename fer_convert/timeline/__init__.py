"""What EmotionKit makes of a clip, worked out a second time: faces, answers, events.

    moments = replay(clip, Rules())      # one for each frame, None where the rate leaves it out

Written from the rules in ``docs/design/015-event-parity.md``, not from the Swift sources: a phone
goes from frame to frame, this looks at a whole clip at once, in three passes: identities, then the
average and the answer of each face, then the events of each frame. ``events.json`` holds what comes
out, and EmotionKit's own tests must arrive at the same.
"""

from fer_convert.timeline.clip import Clip, Event, Face, Frame, Moment
from fer_convert.timeline.replay import replay
from fer_convert.timeline.rules import Rules

__all__ = ["Clip", "Event", "Face", "Frame", "Moment", "Rules", "replay"]
