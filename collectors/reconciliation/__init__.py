"""Reconciliation: where watched systems disagree about an order, have lost one, or leave one lying."""

from collectors.reconciliation.command import run_reconcile
from collectors.reconciliation.printing import print_reconciliation
from collectors.reconciliation.report import Report

__all__ = ["Report", "print_reconciliation", "run_reconcile"]
