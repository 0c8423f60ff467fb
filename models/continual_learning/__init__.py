"""Continual learning: any model that the Trainer trains learns task after task.

`learn_tasks` learns tasks (`permuted`, `split`, `sequence`), tests all so far after each, and
returns the accuracy matrix with ACC and BWT. Baselines have names: plain, ewc, rehearsal, joint.
"""

from .accuracy import AccuracyMatrix
from .course import Course, learn_tasks
from .learner import Learner
from .picture import draw_accuracies
from .strategies import STRATEGIES, Ewc, Joint, Plain, Rehearsal, Strategy
from .tasks import Samples, Task, permuted, samples_of, sequence, split

__all__ = [
    "STRATEGIES",
    "AccuracyMatrix",
    "Course",
    "Ewc",
    "Joint",
    "Learner",
    "Plain",
    "Rehearsal",
    "Samples",
    "Strategy",
    "Task",
    "draw_accuracies",
    "learn_tasks",
    "permuted",
    "samples_of",
    "sequence",
    "split",
]
