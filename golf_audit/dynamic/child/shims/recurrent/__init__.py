"""Recurrent layers in place of attention: state-space models and linear attention, by their recurrences."""
